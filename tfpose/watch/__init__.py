"""What a run says about itself while it lasts and afterwards: a line for machines, a page for people."""
