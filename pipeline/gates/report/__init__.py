"""The reports of gates: findings, waivers, results. The console reads them, too."""
