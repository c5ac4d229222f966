"""The middleware in front of Streamlit, with its pages and forms (edges)."""
