"""Passwords and access tokens: the cryptography of signing in, behind two small classes. It knows no HTTP."""
