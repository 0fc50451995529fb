"""What gates report: findings, waivers, answers. The console reads it too."""
