"""What is estimated: the table of variables, their transforms and their prior ensembles."""
