"""Reads and checks what ops/kubernetes holds. Needs PyYAML and kubernetes-validate; see stack/checks.py."""
