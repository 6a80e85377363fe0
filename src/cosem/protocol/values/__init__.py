"""Values of COSEM that stand alone: OBIS codes, dates and times, units, quantities, and Data that remembers its tag."""
