"""What `maestro init` finds in a folder, decides to add, and writes. Finding and deciding are pure."""
