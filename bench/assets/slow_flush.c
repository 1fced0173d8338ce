/* Every flush takes a fixed time longer: preloaded into both brokers, so that both pay for a disk as slow as most.
 *
 *     cc -shared -fPIC -O2 -o slow_flush.so slow_flush.c -ldl
 *     FLUSH_DELAY_US=2000 LD_PRELOAD=slow_flush.so PROGRAM
 *
 * fsync, fdatasync and syncfs only. msync is left alone, which favours a broker that maps its indexes.
 * A program that makes its system calls without the C library is not slowed; both brokers make theirs with it, and
 * `flush delay` in the report is what one acknowledged request took at least.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void wait_as_told(void) {
    const char *told = getenv("FLUSH_DELAY_US");
    long delay = told ? atol(told) : 0;
    struct timespec left = {delay / 1000000, (delay % 1000000) * 1000};
    int kept = errno;
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
    errno = kept;
}

#define SLOWED(name)                                                                                                   \
    int name(int descriptor) {                                                                                         \
        int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, #name);                                                      \
        int result = real(descriptor);                                                                                 \
        wait_as_told();                                                                                                \
        return result;                                                                                                 \
    }

SLOWED(fsync)
SLOWED(fdatasync)
SLOWED(syncfs)
