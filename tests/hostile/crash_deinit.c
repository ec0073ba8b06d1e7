/* Crashes in deinit.
 * validate: library.init crash Segmentation fault in init and deinit
 * score: any */
#define ENTRY                                                                                      \
    {                                                                                              \
        sizeof(hone_entry), 0, &magic, COMPONENTS, NULL, NULL, deinit                              \
    }
static void deinit(void);
#include "hostile.h"
static void deinit(void)
{
    *(volatile int *)16 = 1;
}
