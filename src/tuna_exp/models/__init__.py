"""The student: where its weights come from, how it is prompted, loaded, adapted and exported."""
