"""How a locale writes numbers, amounts of money and moments: the data is that of CLDR."""
