"""The dashboard: Streamlit and Plotly, reading only from Redis."""
