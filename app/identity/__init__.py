"""What names an account: usernames and e-mail addresses, and which of them count as the same. It knows no table."""
