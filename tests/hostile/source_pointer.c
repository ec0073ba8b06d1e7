/* A column whose values are at an address where nothing is.
 * validate: instance.call crash Segmentation fault
 * data: dies */
#define ON_BATCH b->number_buffers[1] = (const void *)64;
#include "hostile_source.h"
