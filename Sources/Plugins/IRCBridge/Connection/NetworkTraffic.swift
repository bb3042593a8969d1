/// Lines from and to a network's servers, over all its connections.
final class NetworkTraffic {
    var linesIn = 0
    var linesOut = 0
}
