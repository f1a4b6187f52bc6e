"""Ambiguous and incomplete requests: does a model ask, or say what it assumes?"""
