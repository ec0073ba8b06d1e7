/* Never comes back from its constructor.
 * validate: library.load fail did not come back within 3 s, in loading the file
 * score: any */
#include <unistd.h>
__attribute__((constructor)) static void forever(void)
{
    for (;;)
        sleep(1);
}
#include "hostile.h"
