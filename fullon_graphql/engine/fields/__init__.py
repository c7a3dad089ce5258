"""The fields with which schema types and roots are written."""
