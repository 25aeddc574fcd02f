"""Forgetting on request: a tenant, a run or a user, in every place, with a receipt that asked again.

asked ──▶ selection ──▶ journal · dead letters · each exporter that can forget ──▶ receipt
          runs and traces that belong to it, from all places
"""
