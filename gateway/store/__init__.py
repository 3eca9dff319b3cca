"""What must outlive the process: events that wait to be delivered, in one embedded SQLite file."""
