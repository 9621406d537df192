"""What a chip forbids, one function a rule, and the verdict over them."""
