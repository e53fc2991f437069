"""The network that all schemes share: recurrent layers, dense layers, softmax (Table 3)."""
