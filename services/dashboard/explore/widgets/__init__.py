"""The Streamlit widgets of the Explore page, and what they keep in the address."""
