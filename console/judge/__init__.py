"""Decision records of the canary judge: replay, picture, backtest and plan."""
