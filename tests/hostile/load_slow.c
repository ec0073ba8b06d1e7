/* Takes its time to load.
 * validate: library.speed warn at most 100
 * score: survives */
#include <time.h>
#include "hostile.h"
__attribute__((constructor)) static void begin(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 150000000}, NULL);
}
