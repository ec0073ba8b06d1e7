/* Writes into the samples.
 * validate: instance.call crash read-only: the samples
 * score: any */
#define ON_SAMPLE ((hone_sample *)(size_t)s)->turn = 7;
#include "hostile.h"
