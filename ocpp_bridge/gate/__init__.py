"""What the gate's rules read (`snapshot`) and the rules' checks (`checks`); `safety` has the tables and the decision."""
