"""The command line; each verb imports what it alone needs, as the model's libraries take seconds."""
