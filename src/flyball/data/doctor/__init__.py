"""Mess, measured: a folder that nobody documented is looked through, and a page is proposed for it."""
