"""Events as numpy columns: names, visitors and ids become small numbers. Pure."""
