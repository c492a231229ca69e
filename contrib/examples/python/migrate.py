# SPDX-License-Identifier: Apache-2.0
"""Stands for a database migration: does its work and ends."""
print("migrated to version 3")
