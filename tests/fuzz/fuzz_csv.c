/* Any bytes as a file of the sources csv, tsv and dir: see fuzz_source.c. */
#define FUZZ_CSV
#include "fuzz_source.c"
