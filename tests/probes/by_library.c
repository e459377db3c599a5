/* A program that knows nothing of libmif, linked with a library that does: choose.c, by another name. */
int chooses(int count, char **words);

int main(int count, char **words)
{
    return chooses(count, words);
}
