"""What views of batches share: what their pages show, and the answers to changes of rows."""
