"""One agent for a whole front of budgets against searches that begin anew for each."""
