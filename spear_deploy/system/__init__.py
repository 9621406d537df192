"""What lies outside of the code: files and folders, processes, the gate for files of others, imports on demand."""
