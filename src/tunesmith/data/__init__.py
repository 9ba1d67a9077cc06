"""The data side: rows of a file, examples of a format, chats as tokens with their mask, lengths, packing."""
