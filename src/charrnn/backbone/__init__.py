"""The network that all schemes share: recurrent layers, dense layers and softmax (Table 3)."""
