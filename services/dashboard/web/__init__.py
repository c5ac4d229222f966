"""The web server around Streamlit: assets and the documents of the pages."""
