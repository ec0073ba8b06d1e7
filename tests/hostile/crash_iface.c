/* Crashes when it is asked for an interface.
 * validate: instance.create crash Segmentation fault in get_iface
 * score: dies */
#define MORE_IFACES *(volatile int *)16 = 1;
#include "hostile.h"
