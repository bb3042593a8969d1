enum SkeletonOpenSSL {}
