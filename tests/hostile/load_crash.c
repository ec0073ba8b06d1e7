/* Crashes while it is loaded.
 * validate: library.load crash Segmentation fault
 * score: dies */
#include "hostile.h"
__attribute__((constructor)) static void begin(void)
{
    *(volatile int *)16 = 1;
}
