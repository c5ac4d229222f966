"""The live dashboard: Streamlit and Plotly on the Redis contract alone."""
