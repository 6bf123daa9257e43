"""Files of others into stores, and stores into the files of others."""
