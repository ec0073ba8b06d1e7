/* Ends the process while it is loaded.
 * validate: library.load crash exit status 0
 * score: any */
#include "hostile.h"
__attribute__((constructor)) static void begin(void)
{
    _exit(0);
}
