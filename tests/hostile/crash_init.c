/* Crashes in init.
 * validate: library.load crash Segmentation fault in loading
 * score: dies */
#define INIT init
#include "hone/host.h"
static hone_status init(const hone_host *host)
{
    (void)host;
    *(volatile int *)16 = 1;
    return HONE_OK;
}
#include "hostile.h"
