"""What the field has published, where, under which terms; and its files, fetched and checked."""
