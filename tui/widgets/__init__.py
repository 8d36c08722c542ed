"""The pieces that screens are made of: they draw what they are given and send up what was intended."""
