"""Who may see what: passwords, OpenID Connect, shared links, and the gate in front of Streamlit."""
