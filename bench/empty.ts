/**
 * Nothing: what it takes to run it is what every program takes.
 *
 * @module
 */
