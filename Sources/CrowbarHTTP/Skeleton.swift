import Hummingbird

enum SkeletonCrowbarHTTP {}
