"""What servers answer, as it is documented: fields that are not known are ignored, amounts are whole numbers."""
